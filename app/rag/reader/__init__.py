"""What runs inside the limited process: bytes of one file in, text of its pages out.

Started by `app.rag.parsing`; nothing else imports it, so that no hostile file is ever parsed in a server process.
Modules import only what their kind of file needs: a process lives for one file, and its start is paid each time.
"""
