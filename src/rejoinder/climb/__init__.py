"""The climb: every rung fitted and measured on one archive, each in a process of its own, within a budget of time.

units   ->  worker            one thing to do, its key, and the process that does it
plan    ->  units             what to do in the time there is
report  ->  rejoinder.ladder  from what was measured to figures, intervals and the verdict
"""
