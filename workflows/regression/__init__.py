"""The step behind `snakemake regression`, and the command that accepts what it measured."""
