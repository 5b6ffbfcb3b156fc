using System.Net.Sockets;
using System.Text;

namespace Shop.Testing;

/// <summary>Bytes on a socket, for what no well-behaved client sends.</summary>
internal static class RawHttp
{
    /// <summary>Sends a request as it stands, closes the sending side, and reads all that comes back.</summary>
    public static async Task<string> SendAsync(Uri address, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await using NetworkStream stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.UTF8);
        string answers = await reader.ReadToEndAsync();
        SeenStatuses.Note(address, request, answers);
        return answers;
    }

    public static int Status(string answer) => int.Parse(answer.Split(' ', 3)[1]);
}
