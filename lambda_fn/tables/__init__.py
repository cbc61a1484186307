"""Price tables: the one reader of every layout and format, and the store (folder or S3) beneath it."""
