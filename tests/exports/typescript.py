"""A program in TypeScript that calls every function of the generated SDK."""

import json
import re
from typing import Any

from tests.exports.calls import FILE, TEXT, Call

HEAD = f"""
import * as sdk from './client';
import {{ client }} from './client/client.gen';

const statuses: Record<string, number | string> = {{}};
let last: number | string = 'not sent';
client.setConfig({{
  baseUrl: process.argv[2],
  auth: () => process.argv[3],
  fetch: async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {{
    const response = await fetch(input, init);
    last = response.status;
    return response;
  }},
}});
const file = (): File => new File([{json.dumps(TEXT.decode())}], 'policy.txt', {{ type: 'text/plain' }});

async function call(operation: string, send: () => Promise<unknown>): Promise<void> {{
  last = 'not sent';
  try {{
    const answer = await send();
    if (answer !== null && typeof answer === 'object' && 'stream' in answer) {{
      for await (const event of answer.stream as AsyncGenerator<unknown>) void event;
    }}
  }} catch (error) {{
    last = `${{last}}: ${{error}}`;
  }}
  statuses[operation] = last;
}}

async function main(): Promise<void> {{
"""
TAIL = "}\nmain().then(() => console.log(JSON.stringify(statuses)));\n"


def program(calls: list[Call], sdk: str) -> str:
    """It prints the status that each operation answered with."""
    functions = {_plain(name): name for name in re.findall(r"^export const (\w+) = <", sdk, re.MULTILINE)}
    return HEAD + "".join(_line(call, functions[_plain(call.operation)]) for call in calls) + TAIL


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _line(call: Call, function: str) -> str:
    given: dict[str, Any] = {"path": call.path, "query": call.query, "headers": call.headers}
    options = {name: each for name, each in given.items() if each}
    if call.media:
        options["body"] = call.body
    if "text/event-stream" in call.answers and "application/json" not in call.answers:
        options["sseMaxRetryAttempts"] = 1
    literal = json.dumps(options, ensure_ascii=False).replace(json.dumps(FILE), "file()")
    arguments = literal if options else ""
    return f"  await call({json.dumps(call.operation)}, () => sdk.{function}({arguments}));\n"
