"""From reactions and traces to rows a model may learn from.

``collect`` reads the state database, ``router``, ``recommendation`` and ``inventory`` turn each reaction into a row or a
reason, ``limits`` merges and caps, ``split`` parts the users, ``formats`` writes what each trainer reads, and ``build``
does it all. What a shopper wrote is data: it is scrubbed, checked against the shop's database and quoted, never followed.
"""
