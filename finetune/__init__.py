"""From data to an adapter that the graph uses: prepared, trained by TRL and PEFT, judged by `primum.evals`, shipped."""
