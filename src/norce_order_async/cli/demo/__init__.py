"""``norce-order demo``: the vendor's basic tutorial, one refusal and a batch, through the public API over a socket.

:mod:`~.command` reads the options and asks; :mod:`~.service` says where it runs: a sandbox of its own, or Norce's
playground or stage. :mod:`~.show` runs the three parts on one client: :mod:`~.walk`, :mod:`~.refusal` and
:mod:`~.batch`, all with the cart, addresses and amounts from :mod:`~.goods`. :mod:`~.recorder` sits where the bytes
leave and keeps what was really sent and received; :mod:`~.timeline` and :mod:`~.progress` show it.
"""
