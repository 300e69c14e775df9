"""The climb: every rung fitted and measured on one archive, each in a process of its own, within a budget of time.

tasks     ->  task_cache, worker  one thing to do, its key, its result; and the process that does it
executor  ->  plan                fitting and measuring one rung; what to do in the time there is
analysis  ->  rejoinder.ladder    from what was measured to figures, intervals and the verdict
"""
