"""Calls from the sandbox to the programs that registered with an order.

`schemas` checks a notification's schema. `hooks` calls hooks before a change is committed; `patches` and `apply` apply
the operations in their answers. `validations` calls validations when an order is validated. `notifications` picks what
to send after a commit, delivers it and records the attempts. All use `outgoing`, which fills the placeholders in an
address and posts the order in the requested version, over a socket or to an application in this process (`in_process`).
"""
