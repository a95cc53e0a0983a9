"""What a family should look at: what is missing, ends soon, or contradicts something else. No model is asked."""
