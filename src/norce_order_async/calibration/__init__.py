"""Finds out which reading of each assumed rule the real service follows: what ``norce-order calibrate`` does.

A *probe* asks one rule's question of the service, with orders that this run has made and marked, and gives a verdict:
told, neither, or could not tell. :mod:`.wire` sends single requests and says whether there was an answer; :mod:`.state`
is the file that outlives a run that was killed; :mod:`.bench` makes, moves and removes the orders; :mod:`.probes` holds
the questions; :mod:`.run` asks them within the bounds; :mod:`.report` and :mod:`.masking` write the results down;
:mod:`.description` compares the answers with the description of the API.
"""
