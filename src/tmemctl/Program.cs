System.Console.WriteLine("tmemctl");
