"""Finds out which reading of each assumed rule the real service follows: what ``norce-order calibrate`` does.

A *probe* answers the question of one rule with orders that this run has created and marked. Its verdict is the reading
that the service follows, "neither", or "could not tell". :mod:`.wire` sends single requests. :mod:`.state` is the file
that survives a killed run. :mod:`.bench` creates, reads and changes the orders, and :mod:`.cleaning` removes them.
:mod:`.probes` has the questions, and :mod:`.run` asks them. :mod:`.report` writes the results, in which :mod:`.masking`
hides secrets and personal data. :mod:`.description` compares the answers with the description of the API.
"""
