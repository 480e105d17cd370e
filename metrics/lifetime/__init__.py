"""Lifetime value: how often customers come back, for how long, what they spend; one model a file.

`history.py` counts each customer's orders, `bgnbd.py`, `mbgnbd.py`, `paretonbd.py`, `bgbb.py` and
`covariates.py` model when customers order and leave, `gammagamma.py` what they spend, `sbg.py` contracts;
`values.py`, `uncertainty.py`, `gates.py` and `validation.py` use any of them.
"""
