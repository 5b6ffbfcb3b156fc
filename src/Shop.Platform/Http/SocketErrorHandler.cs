using System.Net.Sockets;

namespace Shop.Platform.Http;

/// <summary>
/// Makes one kind of error of those that a request without an answer ends with: if a connection is reset at the moment
/// in which it is made, <see cref="HttpClient"/> throws the socket's error.
/// </summary>
internal sealed class SocketErrorHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        catch (SocketException exception)
        {
            throw new HttpRequestException(exception.Message, exception);
        }
    }
}
