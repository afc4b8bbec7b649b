"""Time, event loops and deadlines. Engines and pipeline are built on this package."""
