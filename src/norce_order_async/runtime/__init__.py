"""Time, event loops and deadlines: what stands below engines and pipeline."""
