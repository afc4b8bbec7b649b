"""One call and its attempts, each of which sends once.

:mod:`.call` holds the only loop. :mod:`.operations` describes each operation. :mod:`.retry` decides what an answer
means and what follows. :mod:`.readback` finds out whether a write whose answer was lost took effect.
"""
