"""What is wrong with an installation, and how to mend it: the likeliest mistakes, each a sentence. Changes nothing."""
