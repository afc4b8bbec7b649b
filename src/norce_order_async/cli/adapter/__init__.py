"""``norce-order adapter dev``: runs an adapter against a local order service.

`command` runs the local service and the walk. `process` runs the adapter under uvicorn in a process of its own, and
restarts it when its code changes. `served` is the program in that process. `view` stands between the service and the
adapter, and prints each call.
"""
