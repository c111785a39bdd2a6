"""The sender and the webhook code in a simulated AWS, with a simulated provider, on a simulated clock.

`system` is one run: every call of the code is a point at which the run can be paused, fail, or be ended. `laws` holds
what must be true in every run. `exhaustive` and `random_search` look for a run in which it is not.
"""
