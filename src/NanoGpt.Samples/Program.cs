Console.WriteLine("NanoGpt");
