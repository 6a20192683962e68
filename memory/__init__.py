"""What Primum keeps: tables, sessions, threads and checkpoints, all in Postgres."""
