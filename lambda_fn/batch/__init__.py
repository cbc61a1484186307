"""The batch run: forecast every series of a table, in three steps. Each is a Lambda function; here all run in turn.

    plan      read all closes, cut them into shards     → records.Plan, shard files, records.Place
    forecast  one shard: series → forecasts and status  → two Parquet parts, records.ShardDone; many at once
    finish    prove that each series came out once      → the evening's scores, records.Success

Step Functions (infra/batch.asl.json) or export/local/batch.py hands the plan's Place to every later step; all else goes
through the two stores it names. `records` draws the files.
"""
