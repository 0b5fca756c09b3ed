"""Commands that report: abr report, and those of abr bench that read results."""
