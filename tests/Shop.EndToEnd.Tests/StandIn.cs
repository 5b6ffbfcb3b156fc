using Microsoft.AspNetCore.Builder;

namespace Shop.EndToEnd.Tests;

/// <summary>Stands in for a service of the shop, and answers as a test wants it.</summary>
internal static class StandIn
{
    public static async Task<WebApplication> StartAsync(Action<WebApplication> answers)
    {
        WebApplication service = WebApplication.CreateSlimBuilder(
            ["--urls=http://127.0.0.1:0", "--Logging:LogLevel:Default=None"]).Build();
        answers(service);
        await service.StartAsync();
        return service;
    }
}
