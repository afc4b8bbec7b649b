"""``norce-order adapter dev``: an adapter at work against a local order service.

`command` runs the local service and the walk. `process` starts the adapter under uvicorn, in a process of its own, and
anew when its code changes. `served` is what runs there. `view` shows who calls whom, from between the service and the
adapter.
"""
