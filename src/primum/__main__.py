from primum.server.cli import main

main()
