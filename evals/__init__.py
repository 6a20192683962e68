"""One file per task: each reads published cases and reports what was met, missed and wrongly raised."""
