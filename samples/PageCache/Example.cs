using System.Globalization;
using System.Text;
using Tmem.Engine;

namespace PageCache;

/// <summary>A file that shrinks about as well as a log does.</summary>
internal static class Example
{
    public static string Make(int pages)
    {
        var path = Path.GetTempFileName();
        var random = new Random(1);
        using var file = File.Create(path);
        while (file.Length < (long)pages * TmemClient.PageSize)
        {
            var line = string.Create(CultureInfo.InvariantCulture,
                $"{DateTime.UnixEpoch.AddSeconds(file.Length):O} request {random.Next():x8} from "
                + $"10.0.{random.Next(256)}.{random.Next(256)} took {random.Next(5000)} us\n");
            file.Write(Encoding.ASCII.GetBytes(line));
        }
        file.SetLength((long)pages * TmemClient.PageSize);
        return path;
    }
}
