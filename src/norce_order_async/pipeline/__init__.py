"""One call, its attempts, one send each.

:mod:`.call` holds the only loop; :mod:`.operations` says what each operation is; :mod:`.outcome` and :mod:`.retry`
decide what an answer means and what follows; :mod:`.settle` finds out what became of a write whose answer was lost.
"""
