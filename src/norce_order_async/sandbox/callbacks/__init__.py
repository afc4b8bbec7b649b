"""Calls from the sandbox to whoever registered with an order.

`registration` checks an entry when it is added. `hooks` asks before a change is committed; an answer with operations
goes through `patches` and `adoption`. `validations` asks when validate is called. `notifications` picks what to tell
after a commit; `deliveries` keeps and records it, `courier` brings it. All share `invoke`: an address with its
placeholders filled (`addresses`), the order in the asked version (`versions`), parts named by JSON pointers
(`pointers`).
"""
