//! What the program needs of the machine it runs on (disk, clock, randomness), as traits with a real and a simulated implementation.
