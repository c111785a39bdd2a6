"""The sender and the webhook code in a simulated AWS, with a simulated provider and a simulated clock.

`system` is one run. At each call that the code makes, the run can pause the code, make the call fail, or kill the
invocation. `laws` and `record_laws` are the invariants of every run. `exhaustive` and `random_search` look for a run
that breaks one.
"""
