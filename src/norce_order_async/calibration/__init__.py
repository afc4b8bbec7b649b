"""Finds out which reading of each assumed rule the real service follows: what ``norce-order calibrate`` does.

A *probe* answers the question of one rule with orders that this run has made and marked. Its verdict is the reading
that the service follows, neither, or could not tell. :mod:`.wire` sends single requests; :mod:`.state` is the file that
outlives a killed run; :mod:`.bench` creates, reads and changes the orders, and :mod:`.cleaning` removes them;
:mod:`.probes` holds the questions; :mod:`.run` asks them within the bounds; :mod:`.report` and :mod:`.masking` write
the results down; :mod:`.description` compares the answers with the description of the API.
"""
