"""Pictures to learn from: data sets, splits, crops, and damage that is drawn."""
