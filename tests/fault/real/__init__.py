"""Scenarios with real processes and private servers: a store, work, a fault, healing, a judgement.

`grounds` gives the stores, `river_app` is what the processes run, `doom` kills one of them at a chosen step, `proxy`
stands between it and its server, `site` holds a scenario together and `judge` says whether the promises held.
"""
