"""What operators can do, as plain functions over a store and a client: one room for the command line and the API.

`runs`, `schedules`, `backfill`, `simulate`, `dead`, `queues`, `doctor`: a file each. Answers are structs whose times
are aware datetimes and whose ids are texts, so that they can be shown or sent as JSON as they are.
"""
