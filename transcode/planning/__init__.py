"""What is to be made: rungs, chunks, jobs and the products they leave."""
