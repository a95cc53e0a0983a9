// An older service in Node, as a process of its own: `node service.mjs PORT`. WebSockets need the package ws.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ service: "node", method: request.method, url: request.url, length: Buffer.concat(parts).length }),
    );
  });
});

try {
  const { WebSocketServer } = await import("ws");
  const sockets = new WebSocketServer({
    server,
    handleProtocols: (offered) => (offered.has("chat.v2") ? "chat.v2" : false),
    verifyClient: ({ req }, done) => (req.url.startsWith("/closed") ? done(false, 403) : done(true)),
  });
  sockets.on("connection", (socket, request) => {
    socket.send(JSON.stringify({ url: request.url, headers: request.headers }));
    socket.on("message", (data, isBinary) => {
      if (!isBinary && data.toString() === "leave") socket.close(4321, "as you wish");
      else socket.send(isBinary ? Buffer.concat([data, data]) : `${data}!`, { binary: isBinary });
    });
    socket.on("close", (code) => (server.lastCode = code));
  });
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
}

server.on("request", (request) => request.url === "/exit" && process.exit(0));
server.listen(Number(process.argv[2]), "127.0.0.1");
