"""Who puts bytes on the wire: one small protocol, one module per HTTP library.

Nothing above this folder meets an HTTP library's types, and no engine is imported before it is chosen.
"""
