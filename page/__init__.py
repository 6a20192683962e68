"""What app.py is made of: a client of the HTTP API, the turn it follows, and answers as safe HTML."""
