"""What results mean: metrics, paired statistics, comparisons, standings."""
