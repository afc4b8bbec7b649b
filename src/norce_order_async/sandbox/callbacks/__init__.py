"""Calls from the sandbox to the programs that registered with an order.

`schemas` checks an entry when it is added. `hooks` asks before a change is committed; an answer with operations goes
through `patches` and `apply`. `validations` asks when validate is called. `notifications` picks what to send after a
commit, delivers it and records how that went. All share `outgoing`: a call to an address with its placeholders filled,
with the order in the version that was asked for, over a socket or to an application in this process (`in_process`).
"""
