"""Every way in: the command line, the HTTP API, and the embedded servers of one machine."""
