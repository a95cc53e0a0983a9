"""What `lifevault doctor` looks at."""
