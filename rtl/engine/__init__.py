"""Engine unit: runs the ops of the lanes; feeds them with lists and words, and takes their results."""
