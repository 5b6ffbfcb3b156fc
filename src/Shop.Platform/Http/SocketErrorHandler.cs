using System.Net.Sockets;

namespace Shop.Platform.Http;

/// <summary>
/// Throws a <see cref="HttpRequestException"/> where <see cref="HttpClient"/> lets a <see cref="SocketException"/>
/// through: a connection was reset just after it was made.
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
