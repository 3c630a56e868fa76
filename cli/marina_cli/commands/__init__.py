"""The subcommands, one file for each subject."""
