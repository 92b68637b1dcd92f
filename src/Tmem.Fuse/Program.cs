System.Console.WriteLine("tmemd");
