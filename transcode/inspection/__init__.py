"""What is wrong with an HLS package, anyone's: facts measured, rules over them, reports."""
