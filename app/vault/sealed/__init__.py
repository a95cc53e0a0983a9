"""The server side of sealed vaults: it keeps what clients seal (suite LV1, see `app/sealed/LV1.md`) and opens nothing.

What is public in it is checked: signatures, chains, counters, who may sign what, and that everybody who stays gets the
key. So a client that is wrong is told at once, and one that is hostile harms nobody but itself. What the server itself
might do, clients find out.
"""
