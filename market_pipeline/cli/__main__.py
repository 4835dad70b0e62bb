"""`python -m market_pipeline.cli`: the command line where its script is not on the path."""

from market_pipeline.cli.main import main

main()
