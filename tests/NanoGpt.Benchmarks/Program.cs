Console.WriteLine("benchmarks: train | generate | tokenize | load");
